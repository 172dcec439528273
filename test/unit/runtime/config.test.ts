import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  flagOf,
  oneOf,
  parseConfigFile,
  readEnvironment,
  resolveConfig,
  variableOf,
  wholeNumber,
  yesOrNo,
} from '../../../src/runtime/config.ts';

const SETTINGS = {
  arkPort: { parse: wholeNumber(0, 65_535), fallback: 7070, placeholder: 'PORT', help: '' },
  color: { parse: oneOf('red', 'blue'), fallback: 'red' as const, placeholder: 'COLOR', help: '' },
  json: { parse: yesOrNo, fallback: false, help: '' },
};
const INVALID = { code: 'CONFIG_INVALID' };

test('a setting has one name in three spellings', () => {
  assert.equal(flagOf('arkAdminPort'), '--ark-admin-port');
  assert.equal(variableOf('arkAdminPort'), 'CANALWORKS_ARK_ADMIN_PORT');
});

test('a flag beats a variable, a variable beats the file, the file beats the default', () => {
  const flags = { arkPort: '1' };
  const environment = readEnvironment(SETTINGS, { CANALWORKS_ARK_PORT: '2', CANALWORKS_COLOR: 'blue', HOME: '/' });
  const file = parseConfigFile(SETTINGS, '{"arkPort": 3, "color": "red", "json": true}', 'file');
  const port = (...sources: Readonly<Record<string, string>>[]): number => resolveConfig(SETTINGS, sources).arkPort;
  assert.deepEqual(resolveConfig(SETTINGS, [flags, environment, file]), { arkPort: 1, color: 'blue', json: true });
  assert.equal(port(environment, file), 2);
  assert.equal(port(file), 3);
  assert.equal(port(), 7070);
});

test('a wrong value is refused wherever it stands, even where another source wins for other settings', () => {
  for (const [name, text] of [
    ['arkPort', '65536'],
    ['arkPort', '-1'],
    ['arkPort', '0x10'],
    ['arkPort', ''],
    ['arkPort', '1.0'],
    ['color', 'green'],
    ['json', 'yes'],
  ] as const) {
    assert.throws(() => resolveConfig(SETTINGS, [{ [name]: text }]), INVALID, `${name}=${text}`);
  }
});

test('what names no setting is refused', () => {
  assert.throws(() => readEnvironment(SETTINGS, { CANALWORKS_ARK_PROT: '1' }), INVALID);
  assert.throws(() => parseConfigFile(SETTINGS, '{"arkProt": 1}', 'file'), INVALID);
  assert.throws(() => parseConfigFile(SETTINGS, '{"toString": 1}', 'file'), INVALID);
});

test('a file that is not one JSON object of plain values is refused', () => {
  for (const text of ['', '{', '[]', 'null', '7', '{"arkPort": null}', '{"arkPort": [1]}', '{"arkPort": {}}']) {
    assert.throws(() => parseConfigFile(SETTINGS, text, 'file'), INVALID, text);
  }
});
