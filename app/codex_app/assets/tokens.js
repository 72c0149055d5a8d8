// What is being written at the caret: a command, a file, a skill. Source: spec/interactive.md sections 3 and 4.
const BLANK = /\s/u

// The run of non-blanks around the caret as `{start, end, text}`; one that begins right at the caret is preferred to
// one that ends there, so that the right one of two neighbours wins.
const runAt = (text, caret) => {
  const before = caret > 0 && !BLANK.test(text[caret - 1])
  const after = caret < text.length && !BLANK.test(text[caret])
  let start = caret
  if (before) while (start > 0 && !BLANK.test(text[start - 1])) start--
  else if (!after) while (start < text.length && BLANK.test(text[start])) start++
  if (!before && !after && start === text.length) return null
  let end = Math.max(start, caret)
  while (end < text.length && !BLANK.test(text[end])) end++
  return {start, end, text: text.slice(start, end)}
}

// The word at the caret that begins with `sign`: `{start, end, query}` without the sign, or null.
export const tokenAt = (text, caret, sign) => {
  const run = runAt(text, caret)
  if (!run || !run.text.startsWith(sign)) return null
  if (run.text === sign && run.end < text.length) return null
  return {start: run.start, end: run.end, query: run.text.slice(sign.length)}
}

// The name behind a slash that opens the first line, while the caret is in it: `{start, end, query}`, or null.
export const commandAt = (text, caret) => {
  const found = /^\/(\S*)/.exec(text)
  return found && caret >= 1 && caret <= found[0].length ? {start: 0, end: found[0].length, query: found[1]} : null
}
