// The one place that knows the libraries of the page.

import { h, render } from "./vendor/preact.module.js";
import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/hooks.module.js";
import { signal } from "./vendor/signals.module.js";
import htm from "./vendor/htm.module.js";

export const html = htm.bind(h);
export { render, signal, useEffect, useLayoutEffect, useRef, useState };
