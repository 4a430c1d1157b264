// Runs a model in LiteRT.js, as often as each line of standard input says; answers each with a line.
// Arguments: the folder of the package @litertjs/core, and the model.

import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';
import readline from 'node:readline';
import {pathToFileURL} from 'node:url';
import vm from 'node:vm';

const [core, file] = process.argv.slice(2);
const wasm = path.join(core, 'wasm') + path.sep;

// What the package expects of a browser.
globalThis.self = globalThis;
globalThis.navigator ??= {};
globalThis.require = createRequire(import.meta.url);
globalThis.__filename = path.join(wasm, 'loader.js');
globalThis.__dirname = wasm;
globalThis.importScripts = (url) => vm.runInThisContext(fs.readFileSync(String(url), 'utf8'));
console.log = console.info = console.warn = () => {};

// Its runtime takes int8; only its list of typed arrays does not name it.
const source = fs.readFileSync(path.join(core, 'dist', 'index.js'), 'utf8');
const known = '{\n    dtype: "uint8",';
const int8 = '{\n    dtype: "int8", typedArrayConstructor: Int8Array, elementType: ElementType.INT8\n  },\n  ';
if (!source.includes(known)) throw new Error('this version of LiteRT.js lists its types otherwise');
const patched = path.join(core, 'dist', 'with_int8.mjs');
fs.writeFileSync(patched, source.replace(known, int8 + known));
const {loadLiteRt, loadAndCompile, Tensor} = await import(pathToFileURL(patched));

await loadLiteRt(wasm);
const model = await loadAndCompile(new Uint8Array(fs.readFileSync(file)), {accelerator: 'wasm'});
const {shape} = model.getInputDetails()[0];
const values = new Int8Array(shape.reduce((product, size) => product * size, 1)).map(() => Math.random() * 256 - 128);
const input = new Tensor(values, shape);
for await (const line of readline.createInterface({input: process.stdin})) {
  for (let count = Number(line); count > 0; --count) {
    for (const output of await model.run([input])) output.delete();
  }
  process.stdout.write('done\n');
}
