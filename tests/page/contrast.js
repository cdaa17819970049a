/* Every visible text whose colours are nearer to each other than WCAG AA allows. An expression. */
(() => {
  const parse = (text) => {
    const numbers = text.match(/[\d.]+/g).map(Number);
    const [r, g, b, a = 1] = text.startsWith("color(srgb") ? [...numbers.slice(0, 3).map((n) => n * 255), numbers[3]] : numbers;
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a),
    g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a),
    a: 1,
  });
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((n) => (n / 255 <= 0.04045 ? n / 255 / 12.92 : ((n / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const chain = (element) => (element === null ? [] : [element, ...chain(element.parentElement)]);
  const backdrop = (element) =>
    chain(element)
      .reverse()
      .map((one) => parse(getComputedStyle(one).backgroundColor))
      .reduce((under, top) => over(top, under), parse("rgb(255, 255, 255)"));
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const style = getComputedStyle(element);
    const opacity = chain(element).reduce((all, one) => all * Number(getComputedStyle(one).opacity), 1);
    const under = backdrop(element);
    const ink = parse(style.color);
    const pair = [light(over({ ...ink, a: ink.a * opacity }, under)), light(under)].sort((x, y) => y - x);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    looked += 1;
    if (ratio < (isLarge ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} "${text.slice(0, 40)}" ${style.color} ${element.className}`);
  }
  return { looked, faint };
})()
