// Where in a YAML text a place is: the keys above it. It follows indentation and flow collections, and needs no text
// that is right: people look things up while they type.

const KEY = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#'"{}[\],&*!|>@`][^#\n]*?)\s*:(?=\s|$)/;
const BLOCK_SCALAR = /^[|>][-+0-9]*\s*(#.*)?$/;
const LONGEST = 10_000;

/**
 * The path of keys, and of places in lists, that a place in a text stands at; `isNew` where a key may be written there
 * that does not stand there yet, and the path is that of what holds it.
 */
export function pathAt(text, offset) {
  const start = text.lastIndexOf("\n", offset - 1) + 1, end = text.indexOf("\n", offset);
  const state = { blocks: [], flows: [], scalarIndent: null };
  for (const line of text.slice(0, start).split("\n").slice(0, -1)) readLine(state, line);
  const line = text.slice(start, end < 0 ? undefined : end), column = offset - start;
  if (!state.flows.length) {
    const indent = line.length - line.trimStart().length;
    const isWithin = state.scalarIndent !== null && line.trim() && indent > state.scalarIndent;
    if (isWithin) return { path: keysOf(state), isNew: false };
    if (!line.trim() || column < indent) return { path: keysAbove(state, column), isNew: true };
  }
  const open = readLine(state, line, column);
  return { path: keysOf(state), isNew: open };
}

/** Follow one line, of the last one up to a column; whether a key may be written at its end. */
function readLine(state, line, column = Infinity) {
  if (line.length > LONGEST && !state.flows.length && !/^\s*[{[]/.test(line)) return false;
  if (state.flows.length) return readFlow(state, line, 0, column);
  let indent = line.length - line.trimStart().length;
  if (state.scalarIndent !== null && (!line.trim() || indent > state.scalarIndent)) return false;
  state.scalarIndent = null;
  if (!line.trim() || line.trimStart().startsWith("#") || /^(---|\.\.\.)(\s|$)/.test(line)) return false;
  for (let dash; (dash = /^-(\s+|$)/.exec(line.slice(indent))); indent += dash[0].length) {
    enterItem(state, indent);
    if (column <= indent + dash[0].length && indent + dash[0].length >= line.length) return true;
  }
  const rest = line.slice(indent), key = KEY.exec(rest);
  leave(state, indent);
  if (!key) return /^[{[]/.test(rest) ? readFlow(state, line, indent, column) : true;
  state.blocks.push({ indent, key: unquoted(key[1]) });
  const valueAt = indent + key[0].length, value = line.slice(valueAt).trim();
  if (BLOCK_SCALAR.test(value)) state.scalarIndent = indent;
  else if (/^[{[]/.test(value) && column > valueAt) return readFlow(state, line, line.indexOf(value, valueAt), column);
  return false;
}

function enterItem({ blocks }, indent) {
  while (blocks.length && blocks.at(-1).indent > indent) blocks.pop();
  const top = blocks.at(-1);
  if (top?.indent === indent && typeof top.key === "number") top.key += 1;
  else blocks.push({ indent, key: 0 });
}

function leave({ blocks }, indent) {
  while (blocks.length && blocks.at(-1).indent >= indent) blocks.pop();
}

/** Flow collections: `{a: 1, b: [c]}`. */
function readFlow(state, line, from, column) {
  const { flows } = state;
  let token = "", quoteEnd = null;
  const name = () => { if (flows.at(-1)?.isMap && flows.at(-1).key === null) flows.at(-1).key = unquoted(token.trim()); };
  for (let at = from; at < Math.min(line.length, column); at += 1) {
    const sign = line[at], holder = flows.at(-1);
    if (sign === '"' || sign === "'") {
      const close = closing(line, at);
      token += line.slice(at, close + 1);
      at = close;
      if (close >= column) quoteEnd = close + 1;
    } else if (sign === "#" && /\s/.test(line[at - 1] ?? " ")) break;
    else if (sign === "{" || sign === "[") {
      flows.push(sign === "{" ? { isMap: true, key: null } : { isMap: false, key: 0 });
      token = "";
    } else if (sign === "}" || sign === "]") {
      flows.pop();
      token = "";
      if (!flows.length) return false;
    } else if (sign === ",") {
      if (holder) holder.key = holder.isMap ? null : holder.key + 1;
      token = "";
    } else if (sign === ":" && holder?.isMap && holder.key === null && (/[\s{["']|undefined/.test(String(line[at + 1])) || /["']$/.test(token.trim()))) {
      name();
      token = "";
    } else token += sign;
  }
  const holder = flows.at(-1);
  let isOpen = Boolean(holder?.isMap) && holder.key === null;
  // The place may be within a key that is there already.
  const behind = isOpen ? /^[^\s{}[\],:"']*\s*:(?=\s|$)/.exec(line.slice(quoteEnd ?? column)) : null;
  if (behind && (token + behind[0]).trim() !== ":") {
    token += behind[0].slice(0, -1);
    name();
    isOpen = false;
  }
  return isOpen;
}

function closing(line, from) {
  for (let at = from + 1; at < line.length; at += 1) {
    if (line[at] === "\\" && line[from] === '"') at += 1;
    else if (line[at] === line[from]) return at;
  }
  return line.length;
}

function unquoted(text) {
  const trimmed = text.trim();
  return /^(["']).*\1$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed;
}

/** The keys above an empty place: those that are less indented. */
function keysAbove(state, column) {
  return state.blocks.filter(({ indent }) => indent < column).map(({ key }) => key);
}

function keysOf({ blocks, flows }) {
  return [...blocks.map(({ key }) => key), ...flows.map(({ key }) => key).filter((key) => key !== null)];
}
