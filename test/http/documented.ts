/** Compares answers with an OpenAPI 3.1 document: operation, status, headers, media type, body. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export type Seen = {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
};
/** What the document has against it, as sentences. */
export type Documented = (seen: Seen) => readonly string[];

type Node = { readonly [key: string]: Node };

export function documented(document: Readonly<Record<string, unknown>>): Documented {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addSchema({ $id: 'doc:', ...document });
  const doc = document as Node;
  const known = new Map<string, ValidateFunction>();
  const fits = (pointer: string, value: unknown): string | undefined => {
    const validate = known.get(pointer) ?? ajv.compile({ $ref: `doc:#${encodeURI(pointer)}` });
    known.set(pointer, validate);
    return validate(value) ? undefined : ajv.errorsText(validate.errors);
  };
  const templates = Object.keys(doc.paths ?? {}).map((path) => ({ path, is: asRegExp(path) }));

  return ({ method, url, status, headers, body }) => {
    const path = url.split('?', 1)[0] ?? '';
    // Of several templates that fit, the one with the fewest variables.
    const [found] = templates
      .filter((it) => it.is.test(path) && doc.paths?.[it.path]?.[method.toLowerCase()] !== undefined)
      .sort((a, b) => count(a.path) - count(b.path) || b.path.length - a.path.length);
    // What the document does not have can only be refused, in the words that all problems share.
    const at =
      found === undefined
        ? `/components/responses/Problem${status}`
        : resolved(doc, `/paths/${escaped(found.path)}/${method.toLowerCase()}/responses/${status}`);
    const response = at === undefined ? undefined : lookUp(doc, at);
    if (at === undefined || response === undefined) return [`${method} ${path} answered ${status}, which is not documented`];
    return [...headersOf(doc, at, response, headers, fits), ...bodyOf(at, response, headers, body, fits)].map(
      (wrong) => `${method} ${path} → ${status}: ${wrong}`,
    );
  };
}

type Fits = (pointer: string, value: unknown) => string | undefined;

function headersOf(doc: Node, at: string, response: Node, headers: Seen['headers'], fits: Fits): readonly string[] {
  return Object.keys(response.headers ?? {}).flatMap((name) => {
    const pointer = resolved(doc, `${at}/headers/${name}`) ?? '';
    const given = headers[name.toLowerCase()];
    if (given === undefined) return lookUp(doc, pointer)?.required ? [`has no ${name}`] : [];
    const wrong = fits(`${pointer}/schema`, String(given));
    return wrong === undefined ? [] : [`${name} ${String(given)} does not fit: ${wrong}`];
  });
}

function bodyOf(at: string, response: Node, headers: Seen['headers'], body: string, fits: Fits): readonly string[] {
  if (response.content === undefined) return body === '' ? [] : ['has a body and none is documented'];
  const type = String(headers['content-type'] ?? '').split(';', 1)[0] ?? '';
  if (response.content[type] === undefined) return [`is ${type}, not ${Object.keys(response.content).join(' or ')}`];
  const wrong = fits(`${at}/content/${escaped(type)}/schema`, type.endsWith('json') ? JSON.parse(body) : body);
  return wrong === undefined ? [] : [`${body} does not fit: ${wrong}`];
}

const asRegExp = (path: string): RegExp => new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{[^}]+\}/g, '[^/]+')}$`);
const count = (path: string): number => path.split('{').length;
const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');
const unescaped = (name: string): string => name.replaceAll('~1', '/').replaceAll('~0', '~');
const lookUp = (doc: Node, pointer: string): Node | undefined =>
  pointer
    .split('/')
    .slice(1)
    .reduce<Node | undefined>((at, name) => at?.[unescaped(name)], doc);
/** Follows one `$ref`; undefined: there is nothing. */
function resolved(doc: Node, pointer: string): string | undefined {
  const found = lookUp(doc, pointer);
  const target = (found as { readonly $ref?: unknown } | undefined)?.$ref;
  return found === undefined ? undefined : typeof target === 'string' ? target.slice(1) : pointer;
}
