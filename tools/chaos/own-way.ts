import type { Attempt } from '@sd/discovery';
import type { TransportAnswer, TransportRequest } from '@sd/client';
// eslint-disable-next-line @nx/enforce-module-boundaries -- what consumers have by default, which no package shows
import { GotTransport } from '../../packages/client/src/got-transport.ts';

/** Sends the requests of a consumer by its own ways, instead of straight to where instances say that they are. */
export class OwnWay extends GotTransport {
  readonly #host: string;

  constructor(host: string) {
    super({});
    this.#host = host;
  }

  override exchange(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Uint8Array>> {
    const url = new URL(request.url);
    url.hostname = this.#host;
    return super.exchange({ ...request, url: url.href }, attempt);
  }
}
