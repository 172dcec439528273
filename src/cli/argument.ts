import { messageOf } from '../base/errors.ts';
import { OperatorError } from '../runtime/operator-error.ts';

/** Parses a command's argument. Throws CONFIG_INVALID, naming it. */
export function argument<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    throw new OperatorError('CONFIG_INVALID', `${name} ${JSON.stringify(text)}: ${messageOf(error)}`);
  }
}
