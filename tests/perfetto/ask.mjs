// Opens a trace in Perfetto's own trace processor, and asks it questions in SQL.
//
//     node ask.mjs FOLDER TRACE <QUESTIONS >ANSWERS
//
// FOLDER is a build of Perfetto's UI: `engine_bundle.js` and `trace_processor.wasm` are in it. QUESTIONS is a
// JSON array of queries, and ANSWERS one of their results, each an array of rows.
//
// The bundle is made for a web worker. It takes a message port, and on that the remote calls of
// `protos/perfetto/trace_processor/trace_processor.proto` as bytes, and answers before it returns. So it
// gets a global scope that looks like a worker's, and a port that keeps what it hears. Of protocol
// buffers there is here what these calls need.

import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import vm from 'node:vm';

const [folder, trace] = process.argv.slice(2);
const questions = JSON.parse(readFileSync(0, 'utf8'));

// TraceProcessorRpc: its methods, and its fields.
const APPEND = 1, FINALIZE = 2, QUERY = 3;
const SEQ = 1, REQUEST = 2, FATAL_ERROR = 5, APPEND_DATA = 101, QUERY_ARGS = 103;
const APPEND_RESULT = 201, QUERY_RESULT = 203;

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  return Buffer.from([...bytes, value]);
}

function numberField(field, value) {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

function bytesField(field, value) {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

// The varint at a place, and the place behind it.
function readVarint(buffer, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = buffer[at++];
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return [value, at];
  }
}

function varints(buffer) {
  const values = [];
  for (let at = 0, value; at < buffer.length; values.push(value)) [value, at] = readVarint(buffer, at);
  return values;
}

// A message's fields, as pairs of number and value: a BigInt or bytes.
function fields(buffer) {
  const found = [];
  for (let at = 0, key, value; at < buffer.length; found.push([Number(key >> 3n), value])) {
    [key, at] = readVarint(buffer, at);
    let length = 8n;
    switch (key & 7n) {
      case 0n:
        [value, at] = readVarint(buffer, at);
        continue;
      case 1n:
        break;
      case 2n:
        [length, at] = readVarint(buffer, at);
        break;
      default:
        throw new Error(`wire type ${key & 7n}`);
    }
    value = buffer.subarray(at, (at += Number(length)));
  }
  return found;
}

function only(field, message) {
  return fields(message).filter(([number]) => number === field).map(([, value]) => value);
}

// A worker's global scope, in a realm of its own, where there is no `process`. The bundle fetches its
// WebAssembly at once and waits for it.
const scope = vm.createContext({
  WorkerGlobalScope: class {},
  location: { href: 'http://perfetto.invalid/engine_bundle.js' },
  console: { log() {}, warn() {}, error() {} },
  XMLHttpRequest: class {
    open(_, url) {
      this.path = join(folder, basename(url));
    }
    send() {
      this.response = new Uint8Array(readFileSync(this.path)).buffer;
      this.status = 200;
    }
  },
  TextDecoder, TextEncoder, URL, performance, setTimeout, clearTimeout, crypto,
});
scope.self = scope;
vm.runInContext(readFileSync(join(folder, 'engine_bundle.js'), 'utf8'), scope);
// What is to follow its start has followed when a first message can come.
await new Promise(setImmediate);

// The bundle asks whether bytes are its own realm's.
const Bytes = vm.runInContext('Uint8Array', scope);
let heard = [];
const port = { postMessage: (data) => heard.push(Buffer.from(data)) };
scope.onmessage({ data: port });

let calls = 0;

// Calls a method, and returns what its answers have in a field: a query has several.
function call(method, args, result) {
  const request = Buffer.concat([numberField(SEQ, ++calls), numberField(REQUEST, method), args]);
  heard = [];
  port.onmessage({ data: Bytes.from(bytesField(1, request)) });
  const answers = only(1, Buffer.concat(heard));
  if (answers.length === 0) throw new Error(`no answer to method ${method}`);
  return answers.flatMap((answer) => {
    for (const error of only(FATAL_ERROR, answer)) throw new Error(error.toString());
    return only(result, answer);
  });
}

// The rows of a query. Of each batch of cells there are the kinds, and the values of each kind by
// themselves.
function rows(results) {
  const [NULL, VARINT, FLOAT64, STRING] = [1, 2, 3, 4];
  const columns = results.flatMap((result) => only(1, result)).length;
  for (const error of results.flatMap((result) => only(2, result))) {
    if (error.length > 0) throw new Error(error.toString());
  }
  const cells = results.flatMap((result) => only(3, result)).flatMap((batch) => {
    const all = (field) => Buffer.concat(only(field, batch));
    const numbers = varints(all(2)).values();
    const strings = all(5).toString().split('\0').values();
    const doubles = all(3);
    let double = 0;
    return [...all(1)].map((kind) => {
      switch (kind) {
        case NULL: return null;
        case VARINT: return Number(BigInt.asIntN(64, numbers.next().value));
        case FLOAT64: return doubles.readDoubleLE(8 * double++);
        case STRING: return strings.next().value;
        default: throw new Error(`a cell of kind ${kind}`);
      }
    });
  });
  const row = (_, index) => cells.slice(index * columns, (index + 1) * columns);
  return Array.from({ length: columns && cells.length / columns }, row);
}

for (const result of call(APPEND, bytesField(APPEND_DATA, readFileSync(trace)), APPEND_RESULT)) {
  for (const error of only(2, result)) throw new Error(`it refuses the trace: ${error}`);
}
call(FINALIZE, Buffer.alloc(0), 0);
const answers = questions.map((sql) =>
  rows(call(QUERY, bytesField(QUERY_ARGS, bytesField(1, Buffer.from(sql))), QUERY_RESULT)),
);
process.stdout.write(JSON.stringify(answers));
