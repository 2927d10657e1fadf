import { backend, problemOf } from '$lib/backend';
import type { BucketAddress, PlaceTest, Problem, Provider } from '$lib/bindings';

/** The last entry of the form: a server that nothing is known of. */
export const ANOTHER = {
  id: 'another',
  name: '',
  address: 'https://s3.example.org',
  of: 'own',
  region: 'us-east-1',
  regions: [],
  in_host: false,
} as const satisfies Provider;

/** What has to be typed. */
export type Part = 'endpoint' | 'account' | 'region' | 'bucket' | 'access' | 'secret';

/** A bucket that is being set up or opened: what is typed about it, and what its server says. */
export class Bucket {
  providers = $state.raw<Provider[]>([]);
  endpoint = $state('');
  account = $state('');
  region = $state('');
  bucket = $state('');
  prefix = $state('');
  name = $state('');
  access = $state('');
  secret = $state('');
  /** What a test of exactly this found. */
  test = $state.raw<PlaceTest>();
  problem = $state.raw<Problem>();
  busy = $state.raw<'testing' | 'adding'>();
  /** Somebody went on although something was missing: now it is said. */
  asked = $state(false);

  #id = $state<string>(ANOTHER.id);
  readonly provider = $derived<Provider>(this.providers.find(({ id }) => id === this.#id) ?? ANOTHER);
  /** Whether the region has to be said: where there is only one, it is known. */
  readonly hasRegion = $derived(this.provider.of === 'own' || this.provider.regions.length !== 1);

  readonly address = $derived<BucketAddress>({
    endpoint:
      this.provider.of === 'own'
        ? this.endpoint.trim()
        : this.provider.address.replace('{region}', this.region.trim()).replace('{account}', this.account.trim()),
    bucket: this.bucket.trim(),
    region: this.region.trim(),
    prefix: this.prefix.trim(),
    in_host: this.provider.in_host,
  });

  /** What is still to be typed, in the order of the form. */
  readonly missing = $derived.by<Part[]>(() => {
    const wanted: Part[] = [
      ...(this.provider.of === 'own' ? (['endpoint'] as const) : []),
      ...(this.provider.of === 'account' ? (['account'] as const) : []),
      'region',
      'bucket',
      'access',
      'secret',
    ];
    return wanted.filter((part) => this[part].trim() === '');
  });

  readonly good = $derived(this.test !== undefined && this.test.problem === null);

  get keys() {
    return { access: this.access.trim(), secret: this.secret.trim() };
  }

  /** Asks for the ready-made entries; the first one is chosen until somebody chooses another. */
  async load(): Promise<void> {
    try {
      this.providers = await backend.providers();
    } catch (thrown) {
      this.problem = problemOf(thrown);
    }
    if (this.#id === ANOTHER.id && this.endpoint === '') this.choose(this.providers[0]?.id ?? ANOTHER.id);
  }

  choose(id: string): void {
    this.#id = id;
    this.region = this.provider.region;
    this.changed();
  }

  /** What was found out is not about what is typed now. */
  changed(): void {
    this.test = undefined;
    this.problem = undefined;
  }

  /** Whether everything is typed; if it is not, that is said from now on. */
  complete(): boolean {
    this.asked = this.missing.length > 0;
    return !this.asked;
  }

  async tryIt(): Promise<void> {
    await this.#during('testing', async () => (this.test = await backend.tryBucket(this.address, this.keys)));
  }

  /** Makes it a place; whether it is one now. The keys are forgotten here then. */
  async add(): Promise<boolean> {
    let added = false;
    await this.#during('adding', async () => {
      await backend.addBucket(this.address, this.keys, this.name.trim() || null);
      added = true;
      this.forget();
    });
    return added;
  }

  /** Forgets the keys. */
  forget(): void {
    this.access = '';
    this.secret = '';
  }

  async #during(what: NonNullable<Bucket['busy']>, work: () => Promise<unknown>): Promise<void> {
    if (this.busy) return;
    this.busy = what;
    this.changed();
    try {
      await work();
    } catch (thrown) {
      this.problem = problemOf(thrown);
    } finally {
      this.busy = undefined;
    }
  }
}
