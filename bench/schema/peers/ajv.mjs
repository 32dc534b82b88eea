// Measures Ajv; how it is asked and answers is in ../bench.c. Run from the folder that npm installed it in.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(process.cwd() + '/')
const options = { strict: false, validateFormats: false, validateSchema: false, logger: false }
const read = path => JSON.parse(readFileSync(path, 'utf8'))
const make = draft => new (require(draft === '07' ? 'ajv' : 'ajv/dist/2020').default)(options)

const cases = readFileSync(process.argv[2], 'utf8').trimEnd().split('\n').map(line => {
  const [, draft, schema, documents] = line.split('\t')
  return { validate: make(draft).compile(read(schema)), documents: read(documents) }
})
console.log(`${require('ajv/package.json').version}, node ${process.versions.node}`)

function validateAll ({ validate, documents }) {
  let valid = 0
  for (const document of documents) if (validate(document)) valid++
  return valid
}

function measure (one, milliseconds) {
  const begin = process.hrtime.bigint()
  let spent = 0, rounds = 0, valid = 0
  for (let step = 1; spent < milliseconds * 1e6; step *= 2) {
    for (let i = 0; i < step; i++) valid = validateAll(one)
    rounds += step
    spent = Number(process.hrtime.bigint() - begin)
  }
  return `${(spent / rounds / one.documents.length).toFixed(3)} ${valid}`
}

for await (const line of createInterface({ input: process.stdin })) {
  const [number, milliseconds] = line.split(' ').map(Number)
  console.log(measure(cases[number], milliseconds))
}
