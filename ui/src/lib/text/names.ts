// What an account is called where it is one of several: by its handle, which is its own.

import type { Account } from '$lib/bindings';

type Named = Pick<Account, 'did' | 'handle' | 'display_name'>;

/** "alice.test"; a name or the permanent number of an account without a handle. */
export function nameOf({ did, handle, display_name: name }: Named): string {
  return handle ?? name ?? did;
}

/** The same of one that may not be kept any more: what is known of it then is its number. */
export function nameAmong(accounts: Named[], did: string): string {
  const account = accounts.find((account) => account.did === did);
  return account ? nameOf(account) : did;
}
