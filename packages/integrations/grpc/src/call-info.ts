import type { Endpoint } from '@sd/load-balancers';

const nobody: readonly Endpoint[] = Object.freeze([]);

/**
 * What is known of one call of the application, over all its attempts. grpc-js hands it from the config selector to each
 * pick as an object of strings, so that it has nothing but private fields.
 */
export class CallInfo {
  readonly [text: string]: string;
  #sent = 0;
  #received = 0;
  #isRepeatable: boolean;
  #first: Endpoint | undefined;
  #tried: Endpoint[] | undefined;

  /** @param isRepeatable the service config has it repeated where it fails */
  constructor(isRepeatable: boolean) {
    this.#isRepeatable = isRepeatable;
  }

  /** Undefined: the call was configured by somebody else. */
  static of(extraPickInfo: object): CallInfo | undefined {
    return #tried in extraPickInfo ? extraPickInfo : undefined;
  }

  static sent(info: CallInfo): void {
    info.#sent += 1;
  }

  static received(info: CallInfo): void {
    info.#received += 1;
  }

  static picked(info: CallInfo, endpoint: Endpoint): void {
    if (info.#first === undefined) info.#first = endpoint;
    else (info.#tried ??= [info.#first]).push(endpoint);
  }

  /** The endpoints of its attempts so far. */
  static triedOf(info: CallInfo): readonly Endpoint[] {
    if (info.#first === undefined) return nobody;
    return (info.#tried ??= [info.#first]);
  }

  static isRepeatable(info: CallInfo): boolean {
    return info.#isRepeatable;
  }

  /** Whether it has more than one message in a direction, so that how long it takes says nothing of the instance. */
  static isStream(info: CallInfo): boolean {
    return info.#sent > 1 || info.#received > 1;
  }

  static wasAnswered(info: CallInfo): boolean {
    return info.#received > 0;
  }
}
