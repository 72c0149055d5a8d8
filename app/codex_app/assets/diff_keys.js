// Keys inside a diff: `[keys, what they do, what that is called]`. There is no browser in here.
export const WALKING = [
  ['J', 'next hunk', 'next'], ['K', 'previous hunk', 'previous'], ['Shift+J', 'next file', 'nextFile'], ['Shift+K', 'previous file', 'previousFile'],
  ['V', 'one column or side by side', 'switchView'],
]
export const REVIEWING = [
  ...WALKING, ['X', 'take the hunk or not', 'toggle'], ['Shift+X', 'take the file or not', 'toggleFile'], ['E', 'edit the hunk', 'edit'], ['C', 'a note on the hunk', 'remark'],
  ['U', 'unchanged lines before it', 'above'], ['Shift+U', 'unchanged lines behind it', 'below'],
]
export const CHANGING = [
  ...WALKING, ['ArrowDown', 'next line', 'lineDown'], ['ArrowUp', 'previous line', 'lineUp'], ['C', 'comment on the line or hunk', 'comment'],
  ['R', 'take the hunk back', 'back'], ['Shift+R', 'take the file back', 'backFile'], [',', 'the turn before', 'olderTurn'], ['.', 'the turn after', 'newerTurn'],
]

// The entry that a key stands for; null for others, and while somebody writes.
export const keyed = (table, event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || /TEXTAREA|INPUT|SELECT/.test(event.target.tagName)) return null
  const pressed = `${event.shiftKey && /^[a-z]$/i.test(event.key) ? 'Shift+' : ''}${event.key.length === 1 ? event.key.toUpperCase() : event.key}`
  return table.find(([keys]) => keys === pressed) ?? null
}
