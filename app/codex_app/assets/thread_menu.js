// What a person does to a thread of the list: rename, archive, delete, and see only its like.
import {choose, confirm, enter} from '/assets/dialogs.js'

// `what`: `rename` or `delete` skips the menu.
export const tileMenu = (thread, {ask, say, open, back, filter, gone, changed}, what) => {
  const done = text => { say(text); changed() }
  const failed = error => say(error.message)
  const doing = {
    rename: () => enter(`Rename “${thread.name}”`, {label: 'Name', value: thread.named ? thread.name : '', action: 'Rename'}, back)
      .then(name => name && ask({type: 'rename', thread: thread.id, name}).then(() => done(`It is called ${name} now.`), failed)),
    archive: () => ask({type: 'archive', thread: thread.id}).then(() => { gone(); done('Archived. “archived …” above the list shows it.') }, failed),
    back: () => ask({type: 'archive', thread: thread.id, back: true}).then(() => done('It is in the list again.'), failed),
    delete: () => confirm(`Delete “${thread.name}” for good?`, 'What was said and done in it is removed from the disk. Files that it changed stay as they are. Archiving keeps it.', 'Delete', back)
      .then(yes => yes && ask({type: 'delete', thread: thread.id}).then(() => { gone(); done('Deleted.') }, failed)),
  }
  if (what) return doing[what]()
  choose(thread.name, [
    ['Open', 'show this thread', () => open(thread.id)],
    ['Rename', 'give it another name (F2)', doing.rename],
    thread.archived ? ['Take back', 'into the list', doing.back] : ['Archive', 'take it out of the list; nothing is lost', doing.archive],
    ['Delete …', 'for good (Delete)', doing.delete],
    ...(thread.path ? [['Only this directory', `hide threads outside ${thread.path}`, () => filter.set({directory: thread.path})]] : []),
    ...(thread.source ? [['Only its kind', `hide threads not made by ${thread.source}`, () => filter.set({source: thread.source})]] : []),
  ], back)
}
