/** Opens the public port. */
import type { Desk } from '../../src/desk.ts';
import { commandRoutes } from './commands.ts';
import { type Listener, type ListenerOptions, listen } from './listener.ts';

export const startHttp = ({ desk, ...where }: ListenerOptions & { readonly desk: Desk }): Promise<Listener> =>
  listen(where, (app) => commandRoutes(app, desk));
