/**
 * Makes the TypeScript of `proto/`: Ark's services under `src/ark/wire/gen`, gRPC's own under `src/runtime/gen`.
 * `--check` writes nothing and fails when a file is out of date.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');
/** Folder of generated code, and the packages that belong there. */
const PLACES = {
  'src/ark/wire/gen': ['proto/ark', 'proto/google'],
  'src/runtime/gen': ['proto/grpc'],
} as const;
/** Code that Node runs as it stands, with the types of the JSON forms. */
const OPTIONS = ['target=ts', 'import_extension=ts', 'erasable_syntax=true', 'json_types=true'];

function generate(packages: readonly string[], out: string): void {
  const plugin = { local: join(BIN, 'protoc-gen-es'), out, opt: OPTIONS };
  const paths = packages.flatMap((path) => ['--path', path]);
  const args = ['generate', 'proto', '--template', JSON.stringify({ version: 'v2', plugins: [plugin] }), ...paths];
  execFileSync(join(BIN, 'buf'), args, { cwd: ROOT, stdio: 'inherit' });
}

const filesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .sort()
      .map((file) => [file, readFileSync(join(folder, file), 'utf8')]),
  );

const scratch = mkdtempSync(join(tmpdir(), 'canalworks-proto-'));
for (const [place, packages] of Object.entries(PLACES)) {
  const [made, kept] = [join(scratch, place), join(ROOT, place)];
  generate(packages, made);
  if (!process.argv.includes('--check')) {
    rmSync(kept, { recursive: true, force: true });
    cpSync(made, kept, { recursive: true });
  } else if (JSON.stringify(filesOf(made)) !== JSON.stringify(filesOf(kept))) {
    process.stderr.write(`${place} is out of date: run npm run proto\n`);
    process.exitCode = 1;
  }
}
rmSync(scratch, { recursive: true });
