// The form of an MCP server: fields as its schema asks for them. The server of the page checks what was filled in.
import {make} from '/assets/dom.js'

const control = field => {
  const base = {name: field.name, 'aria-describedby': `about-${field.name}`, required: field.required}
  if (field.kind === 'boolean') return make('input', {...base, type: 'checkbox', checked: field.default === true, required: false})
  if (field.kind === 'choice') {
    return make('select', base, ...(field.required && field.default != null ? [] : [make('option', {value: '', text: '—'})]),
      ...field.choices.map(([value, name]) => make('option', {value, text: name, selected: value === field.default})))
  }
  if (field.kind === 'several') {
    return make('select', {...base, multiple: true, size: String(Math.min(6, field.choices.length || 1))},
      ...field.choices.map(([value, name]) => make('option', {value, text: name, selected: field.default.includes(value)})))
  }
  if (field.kind === 'integer' || field.kind === 'number') {
    return make('input', {...base, type: 'number', step: field.kind === 'integer' ? '1' : 'any', min: field.minimum, max: field.maximum, value: field.default})
  }
  return make('input', {...base, type: field.input || 'text', minlength: field.minLength, maxlength: field.maxLength, value: field.default, autocomplete: 'off'})
}

export class Form {
  constructor(fields) {
    this.fields = fields
    this.controls = fields.map(control)
    this.problem = make('p', {cls: 'bad', role: 'alert', hidden: true})
    this.element = make('form', {cls: 'form', novalidate: true, on: {submit: event => event.preventDefault()}}, ...fields.map((field, at) => make('label', {},
      make('span', {text: `${field.label}${field.required ? '' : ' (optional)'}`}), this.controls[at],
      make('span', {cls: 'small', id: `about-${field.name}`, text: field.about}))), this.problem)
  }

  // What was filled in; null when the browser sees that something does not fit, which is then said.
  content() {
    const wrong = this.controls.findIndex(one => !one.checkValidity())
    this.problem.hidden = wrong < 0
    if (wrong >= 0) {
      this.problem.textContent = `${this.fields[wrong].label}: ${this.controls[wrong].validationMessage}`
      this.controls[wrong].focus()
      return null
    }
    return Object.fromEntries(this.fields.map((field, at) => [field.name, this.value(field, this.controls[at])]).filter(([, value]) => value !== null && value !== ''))
  }

  value(field, one) {
    if (field.kind === 'boolean') return one.checked
    if (field.kind === 'several') return [...one.selectedOptions].map(option => option.value)
    if (field.kind === 'integer' || field.kind === 'number') return one.value === '' ? null : Number(one.value)
    return one.value
  }

  say(text) { this.problem.textContent = text; this.problem.hidden = false }
}
