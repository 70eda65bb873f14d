/** What calls come to, as words for the tables of methods and states. */
import { isPending } from './stream/trial.js';
import { within } from './within.js';

/** Without ERR_SOCK_; BAD_ stands for ERR_INVALID_ARG_, EDEST for EDESTADDRREQ. */
function codeOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return (code ?? name).replace(/^ERR_SOCK_|ADDRREQ$/, '').replace('ERR_INVALID_ARG_', 'BAD_');
}

/**
 * A word for it: the value that the call returns or resolves with, as `show` has it; the code that
 * it throws; `~` and the code that it rejects with; or `waits`, for ERR_SOCK_CLOSED once the socket
 * is closed (`waits*`: an iteration, which just ends then).
 */
export async function outcomeOf(
  socket: { close(): void },
  call: () => unknown,
  show: (value: unknown) => string,
): Promise<string> {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    return codeOf(error);
  }
  if (!(result instanceof Promise)) return show(result);
  const settled = result.then(show, (error: unknown) => `~${codeOf(error)}`);
  if (!(await isPending(settled))) return settled;
  socket.close();
  const end = await within(1_000, settled, 'an operation on a closed socket');
  if (end === '~CLOSED') return 'waits';
  return end === 'the end' ? 'waits*' : `waits, then ${end}`;
}

/** Rows of a table: a name, then cells, two spaces or more between them. */
export function tableOf(text: string): Map<string, string[]> {
  const rows = text.split('\n').filter((line) => line.trim() !== '');
  return new Map(
    rows.map((row) => {
      const [name = '', ...cells] = row.trim().split(/ {2,}/);
      return [name, cells];
    }),
  );
}

/** Members of classes for their package's own use, whatever JavaScript lets others see. */
export function internalMembers(sources: readonly string[]): string[] {
  const declared = [
    /^ {2}(?:private|protected) (?:\w+ )*(\w+)[(<]/gm,
    /@internal(?:(?!\*\/).)*\*\/\n {2}(?:\w+ )*(\w+)[(<]/gms,
  ];
  return sources.flatMap((text) =>
    declared.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')),
  );
}

/** The names on the chain of prototypes below Object's. */
export function membersOf(prototype: object): string[] {
  const members = new Set<string>();
  for (let type = prototype; type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    for (const name of Object.getOwnPropertyNames(type)) members.add(name);
  }
  members.delete('constructor');
  return [...members];
}
