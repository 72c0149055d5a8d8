// Turns the token of a one-time link into a cookie. The token never leaves in an address.
const say = document.getElementById('say')
const token = location.hash.slice(1)
history.replaceState(null, '', location.pathname)
const place = sessionStorage.getItem('codex.place') || ''
if (!token) {
  say.textContent = 'This link has no key in it. Run “codex” again and open the link that it prints.'
} else {
  const [key, thread] = token.split('/')
  try {
    const answer = await fetch('/open', {method: 'POST', body: key, headers: {'Content-Type': 'text/plain'}})
    if (answer.ok) location.replace('/' + (thread ? '#' + thread : place))
    else if (answer.status === 429) say.textContent = 'Too many wrong links were tried. Wait a minute, then run “codex” again.'
    else say.textContent = 'This link was used before or is too old. Run “codex” again for a new one.'
  } catch {
    say.textContent = 'The workbench does not answer. Is “codex” still running?'
  }
}
