// The model's plan as a checklist that follows along, at the head of the conversation while it is worked on.
import {make} from '/assets/dom.js'

const BOXES = {completed: '☑', in_progress: '▸', pending: '☐'}

export class Plan {
  constructor() { this.element = make('section', {cls: 'plan', 'aria-label': 'Plan', hidden: true}) }

  draw({plan: steps = [], plan_note: note, busy}) {
    this.element.hidden = !steps.length || (!busy && steps.every(([, state]) => state === 'completed'))
    const done = steps.filter(([, state]) => state === 'completed').length
    this.element.replaceChildren(make('div', {cls: 'small', text: `Plan, ${done} of ${steps.length} done${note ? ` · ${note}` : ''}`}),
      make('ol', {}, ...steps.map(([text, state]) => make('li', {cls: state, 'aria-current': state === 'in_progress' ? 'step' : null},
        make('span', {cls: 'box', role: 'img', 'aria-label': state.replace('_', ' '), text: BOXES[state]}), ' ', text))))
  }
}
