// What a SMART Backend Services token endpoint checks of a request: form, assertion, signature by a key of the published set.
// The set is read for each request, as a server would that does not cache it.
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const DIGEST_OPTIONS = { ES384: { dsaEncoding: 'ieee-p1363' }, RS384: {} };
const LONGEST = 300; // seconds that an assertion may live

export class Assertions {
  constructor({ jwks, clientId, audience }) {
    Object.assign(this, { jwks, clientId, audience, used: new Set() });
  }

  // {error, why} as RFC 6749 names it, or {kid, alg, scope}.
  check(body, contentType) {
    const form = new URLSearchParams(body);
    if (!/^application\/x-www-form-urlencoded/.test(contentType ?? '')) return refuse('invalid_request', 'content type');
    if (form.get('grant_type') !== 'client_credentials') return refuse('unsupported_grant_type', 'grant_type');
    if (form.get('client_assertion_type') !== ASSERTION) return refuse('invalid_request', 'client_assertion_type');
    if (!/^system\//.test(form.get('scope') ?? '')) return refuse('invalid_scope', 'scope');
    const parts = (form.get('client_assertion') ?? '').split('.');
    try {
      return { ...this.checkAssertion(parts), scope: form.get('scope') };
    } catch (error) {
      return refuse('invalid_client', error.message);
    }
  }

  checkAssertion(parts) {
    const [header, claims] = parts.slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
    const key = JSON.parse(readFileSync(this.jwks, 'utf8')).keys.find((candidate) => candidate.kid === header.kid);
    if (!key) return refuse('invalid_client', `no key ${header.kid}`);
    if (key.alg !== header.alg || !DIGEST_OPTIONS[header.alg]) return refuse('invalid_client', `alg ${header.alg}`);
    const publicKey = { key: createPublicKey({ key, format: 'jwk' }), ...DIGEST_OPTIONS[header.alg] };
    if (!verify('sha384', Buffer.from(parts.slice(0, 2).join('.')), publicKey, Buffer.from(parts[2], 'base64url'))) {
      return refuse('invalid_client', 'signature');
    }
    const why = this.checkClaims(claims);
    return why ? refuse('invalid_client', why) : { kid: header.kid, alg: header.alg };
  }

  checkClaims(claims) {
    const now = Date.now() / 1000;
    if (claims.iss !== this.clientId || claims.sub !== this.clientId) return 'iss, sub';
    if (claims.aud !== this.audience()) return `aud ${claims.aud}`;
    if (!(claims.exp > now - 5) || claims.exp > now + LONGEST) return 'exp';
    if (!claims.jti || this.used.has(claims.jti)) return 'jti';
    this.used.add(claims.jti);
    return undefined;
  }
}

function refuse(error, why) {
  return { error, why };
}
