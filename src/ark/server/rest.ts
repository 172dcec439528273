/** REST as the annotations of the protobufs have it: where a method is mounted, and how its request is gathered. */
import { type DescField, type DescMessage, type DescMethod, getOption } from '@bufbuild/protobuf';
import type { Context } from 'hono';
import { invariant } from '../../base/errors.ts';
import { http } from '../wire/gen/google/api/annotations_pb.ts';
import type { HttpRule } from '../wire/gen/google/api/http_pb.ts';
import { asFields, type Fields, malformed } from '../wire/request.ts';
import type { Route } from '../wire/routes.ts';

export interface Binding {
  readonly route: Route;
  /** The request of a call, in the JSON form of the method's input. */
  request(c: Context): Promise<Fields>;
}

/** The JSON object in a request's body; an empty body is an empty object. */
export async function bodyOf(c: Context): Promise<Fields> {
  const raw = await c.req.text();
  if (raw.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    throw malformed('the body is not JSON');
  }
  return asFields(value);
}

/** `batch_outpoint.txid` or `batchOutpoint.txid` → the fields on the way down; `undefined` when there are none. */
function fieldsAt(message: DescMessage, path: string): DescField[] | undefined {
  const [name, ...rest] = path.split('.');
  const field = message.fields.find((each) => each.name === name || each.jsonName === name);
  if (!field) return undefined;
  if (rest.length === 0) return field.fieldKind === 'message' ? undefined : [field];
  const below = field.fieldKind === 'message' ? fieldsAt(field.message, rest.join('.')) : undefined;
  return below && [field, ...below];
}

/** `fields` with a value further down, made where it was not. */
function withValue(fields: Fields, path: readonly DescField[], value: unknown): Fields {
  const [{ jsonName }, ...below] = path as readonly [DescField, ...DescField[]];
  if (below.length === 0) return { ...fields, [jsonName]: value };
  return { ...fields, [jsonName]: withValue(asFields(fields[jsonName] ?? {}, jsonName), below, value) };
}

/** Names in braces are fields of the request: `{batch_outpoint.txid}` becomes a parameter `:batch_outpoint.txid`. */
function binding(method: DescMethod, rule: HttpRule): Binding {
  const { case: verb, value: template } = rule.pattern;
  invariant(verb === 'get' || verb === 'post', `a method of HTTP for ${method.name}`);
  const names = [...template.matchAll(/\{([\w.]+)\}/g)].map((match) => match[1]!);
  const inPath = names.map((name) => {
    const path = fieldsAt(method.input, name);
    invariant(path, `${name} in the path of ${method.name}`);
    return { name, path, isList: path.at(-1)!.fieldKind === 'list' };
  });

  /** Unknown names mean nothing, as unknown fields of a body do not. */
  function fromQuery(c: Context): Fields {
    let fields: Fields = {};
    for (const [name, values] of Object.entries(c.req.queries())) {
      const path = fieldsAt(method.input, name);
      if (path) fields = withValue(fields, path, path.at(-1)!.fieldKind === 'list' ? values : values.at(-1));
    }
    return fields;
  }

  return {
    route: { method: verb === 'get' ? 'GET' : 'POST', path: template.replace(/\{([\w.]+)\}/g, ':$1') },
    async request(c) {
      let fields = rule.body === '*' ? await bodyOf(c) : fromQuery(c);
      for (const { name, path, isList } of inPath) {
        const value = c.req.param(name)!;
        fields = withValue(fields, path, isList ? value.split(',') : value);
      }
      return fields;
    },
  };
}

/** Every way to a method over REST. */
export function bindingsOf(method: DescMethod): Binding[] {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings].map((each) => binding(method, each));
}
