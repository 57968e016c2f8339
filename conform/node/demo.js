// The demo rows of the repository, and the true neighbours among them.
'use strict';
const fs = require('fs');
const path = require('path');
const FOLDER = path.join(__dirname, '..', '..', 'demo');

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

// A matrix of little-endian float16 in a .npy file of version 1.0, as arrays of numbers.
function readVectors(name, count) {
  const bytes = fs.readFileSync(path.join(FOLDER, name));
  const start = 10 + bytes.readUInt16LE(8);
  const columns = Number(/\(\d+, (\d+)\)/.exec(bytes.toString('latin1', 10, start))[1]);
  return Array.from({ length: count }, (_, row) =>
    Array.from({ length: columns }, (_, column) => half(bytes.readUInt16LE(start + 2 * (row * columns + column)))));
}

function readRows(name, count) {
  return fs.readFileSync(path.join(FOLDER, name), 'utf8').split('\n').slice(0, count).map((line) => JSON.parse(line));
}

// Squared distances to every row, nearest first.
function neighbours(query, vectors) {
  return vectors
    .map((vector, id) => ({ id, distance: vector.reduce((sum, x, at) => sum + (x - query[at]) ** 2, 0) }))
    .sort((a, b) => a.distance - b.distance);
}

// Files under the data folder that hold an index.
function indexFiles(folder) {
  return fs.readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.idx') || name.split(path.sep).includes('index'))
    .filter((name) => fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.isFile());
}

module.exports = { readVectors, readRows, neighbours, indexFiles };
