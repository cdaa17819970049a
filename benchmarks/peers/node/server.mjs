// The same in JavaScript: node's ws and better-sqlite3, one commit an edit before it is told.
//
// SQLite runs as Comanda's does: WAL, synchronous=FULL. better-sqlite3 commits in the event loop itself,
// so no table needs a lock, and nothing else happens meanwhile. The cart is kept in memory besides.
//
// What it does not do: nobody is asked who they are; a command that is sent twice is done twice; nothing is
// acknowledged; fields are not checked, and the database knows no rules; what waits for a slow reader is
// not bounded; there are no orders; carts are not read back after a restart.
import Database from "better-sqlite3";
import { WebSocketServer } from "ws";

const FIRST_LINE = {
  public_id: "line-1",
  menu_item_id: 101,
  name: "Margherita",
  unit_price: 625.0,
  qty: 1,
  note: "",
  state: "pending",
  available: true,
  added_by: "member_0_0",
};

const database = new Database(process.argv[2]);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(`
  CREATE TABLE carts (number INTEGER PRIMARY KEY, seq INTEGER);
  CREATE TABLE lines (number INTEGER, public_id TEXT, menu_item_id INTEGER, qty INTEGER, note TEXT,
    PRIMARY KEY (number, public_id)) WITHOUT ROWID;
`);
const addCart = database.prepare("INSERT INTO carts VALUES (?, 0)");
const addLine = database.prepare("INSERT INTO lines VALUES (?, ?, ?, ?, ?)");
const setQty = database.prepare("UPDATE lines SET qty = ? WHERE number = ? AND public_id = ?");
const setSeq = database.prepare("UPDATE carts SET seq = ? WHERE number = ?");

const putOnRecord = database.transaction((number) => {
  addCart.run(number);
  addLine.run(number, FIRST_LINE.public_id, FIRST_LINE.menu_item_id, FIRST_LINE.qty, FIRST_LINE.note);
});
const commit = database.transaction((number, line, seq) => {
  setQty.run(line.qty, number, line.public_id);
  setSeq.run(seq, number);
});

const parties = new Map();

function partyOf(number) {
  let party = parties.get(number);
  if (party === undefined) {
    party = { number, seq: 0, lines: new Map([[FIRST_LINE.public_id, FIRST_LINE]]), members: new Set() };
    parties.set(number, party);
    putOnRecord(number);
  }
  return party;
}

function totalOf(party) {
  let total = 0;
  for (const line of party.lines.values()) total += line.unit_price * line.qty;
  return total;
}

function greet(party, socket) {
  const told = { type: "cart_snapshot", seq: party.seq, items: [...party.lines.values()], total: totalOf(party) };
  socket.send(JSON.stringify(told));
  party.members.add(socket);
}

function change(party, edit, by) {
  const line = { ...party.lines.get(edit.public_id), qty: edit.qty };
  commit(party.number, line, party.seq + 1);
  party.seq += 1;
  party.lines.set(line.public_id, line);
  const event = JSON.stringify({
    type: "cart_updated",
    seq: party.seq,
    by_member: by,
    items: [line],
    removed: [],
    total: totalOf(party),
    timestamp: new Date().toISOString(),
  });
  for (const member of party.members) member.send(event);
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 1024 });
server.on("connection", (socket, request) => {
  const party = partyOf(Number(request.url.split("/").at(-1)));
  let name = null;
  socket.on("message", (data) => {
    const said = JSON.parse(data);
    if (name === null) {
      name = said.token;
      greet(party, socket);
    } else {
      change(party, said, name);
    }
  });
  socket.on("close", () => party.members.delete(socket));
});
server.on("listening", () => console.log(`Serves at http://127.0.0.1:${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
