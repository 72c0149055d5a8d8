// Names by some of their letters, in order. Smaller scores are better; a match from the first letter on is better by 100.
// Source: spec/interactive.md section 5.
export const match = (name, query) => {
  const letters = []
  ;[...name].forEach((letter, at) => { for (const low of letter.toLowerCase()) letters.push([low, at]) })
  const wanted = [...query.toLowerCase()]
  const hits = []
  let from = 0
  for (const letter of wanted) {
    const at = letters.findIndex(([low], index) => index >= from && low === letter)
    if (at < 0) return null
    hits.push(at)
    from = at + 1
  }
  if (!hits.length) return {score: 0, indices: []}
  const span = Math.max(0, hits.at(-1) - hits[0] + 1 - wanted.length)
  return {score: span - (hits[0] === 0 ? 100 : 0), indices: [...new Set(hits.map(at => letters[at][1]))]}
}

// How many letters from the first on match without a gap.
const begun = indices => indices.findIndex((at, index) => at !== index) < 0 ? indices.length : indices.findIndex((at, index) => at !== index)

// The best first: `[{item, indices}]`; of equal ones those that begin like the query. Without a query all, as they stand.
export const ranked = (items, query, name) => {
  const found = items.map(item => ({item, ...match(name(item), query)})).filter(hit => hit.indices)
  if (query) found.sort((a, b) => a.score - b.score || begun(b.indices) - begun(a.indices) || (name(a.item) < name(b.item) ? -1 : 1))
  return found.map(({item, indices}) => ({item, indices}))
}
