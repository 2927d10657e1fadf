// A DID document as plc.directory answers it today: Multikey, method ids absolute, service ids relative.
import { P256_JWT_ALG, parseDidKey } from '@atproto/crypto';

const SUITES = 'https://w3id.org/security/suites';

/** The document for the state that the directory holds. */
export function didDocument({ did, alsoKnownAs, verificationMethods, services }) {
  const suites = Object.values(verificationMethods).map((key) =>
    parseDidKey(key).jwtAlg === P256_JWT_ALG ? `${SUITES}/ecdsa-2019/v1` : `${SUITES}/secp256k1-2019/v1`,
  );
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1', ...new Set(suites)],
    id: did,
    alsoKnownAs,
    verificationMethod: Object.entries(verificationMethods).map(([name, key]) => ({
      id: `${did}#${name}`,
      type: 'Multikey',
      controller: did,
      publicKeyMultibase: key.slice('did:key:'.length),
    })),
    service: Object.entries(services).map(([name, { type, endpoint }]) => ({
      id: `#${name}`,
      type,
      serviceEndpoint: endpoint,
    })),
  };
}
