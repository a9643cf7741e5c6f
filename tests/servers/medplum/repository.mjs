// Medplum's MemoryRepository made fit for tests. It keeps Medplum's searching and bundle rules; what it adds is
// what Medplum's own server does and the in-memory one leaves out.
import {
  badRequest,
  deepClone,
  deepEquals,
  isResourceType,
  notFound,
  OperationOutcomeError,
  Operator,
  preconditionFailed,
  validateResource,
} from '@medplum/core';
import { MemoryRepository } from '@medplum/fhir-router';

export class Repository extends MemoryRepository {
  #strict;
  #inTransaction = false;

  constructor(strict) {
    super();
    this.#strict = strict;
  }

  // The id is the server's choice; inside a bundle the router has made that choice already.
  async createResource(resource, options) {
    return this.#store(options?.assignedId ? resource : { ...resource, id: this.generateId() });
  }

  // Content that has not changed keeps its version.
  async updateResource(resource, options) {
    if (!resource.id) {
      throw new OperationOutcomeError(badRequest('Missing id'));
    }
    const existing = this.resources.get(resource.resourceType)?.get(resource.id);
    if (options?.ifMatch && !existing) {
      throw new OperationOutcomeError(notFound);
    }
    if (options?.ifMatch && existing.meta.versionId !== options.ifMatch) {
      throw new OperationOutcomeError(preconditionFailed);
    }
    return existing && sameContent(existing, resource) ? deepClone(existing) : this.#store(resource);
  }

  // Medplum evaluates a FHIRPath on every resource: 400 conditional updates took minutes. What cannot match an exact
  // identifier or tag is left out first; Medplum judges the rest, so the meaning of a search stays Medplum's.
  async search(request) {
    const tokens = (request.filters ?? []).filter(isExactToken);
    const all = this.resources.get(request.resourceType);
    if (tokens.length === 0 || !all) {
      return super.search(request);
    }
    const few = new MemoryRepository();
    const kept = [...all].filter(([, resource]) => tokens.every((token) => hasToken(resource, token)));
    few.resources.set(request.resourceType, new Map(kept));
    return few.search(request);
  }

  // MemoryRepository reverses its stored list at every reading; this one shows the newest first, always.
  async readHistory(resourceType, id) {
    await this.readResource(resourceType, id);
    const versions = [...(this.history.get(resourceType)?.get(id) ?? [])].reverse();
    return {
      resourceType: 'Bundle',
      type: 'history',
      total: versions.length,
      entry: versions.map((version) => ({ resource: deepClone(version) })),
    };
  }

  // MemoryRepository knows no rollback: a failed transaction would leave its first half behind. Stored resources
  // are replaced, never changed in place, so copying the maps is enough.
  async withTransaction(callback) {
    if (this.#inTransaction) {
      return callback(undefined);
    }
    const resources = copyOf(this.resources, (byId) => new Map(byId));
    const history = copyOf(this.history, (byId) => copyOf(byId, (versions) => [...versions]));
    this.#inTransaction = true;
    try {
      return await callback(undefined);
    } catch (error) {
      restore(this.resources, resources);
      restore(this.history, history);
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  #store(resource) {
    if (!isResourceType(resource.resourceType)) {
      throw new OperationOutcomeError(badRequest(`Unknown resource type ${resource.resourceType}`));
    }
    refuseUnresolvedReferences(resource, resource.resourceType);
    if (this.#strict) {
      validateResource(resource); // structure, cardinality, unknown properties; no bindings, no profiles
    }
    return super.createResource(withoutVersion(resource));
  }
}

function isExactToken({ code, operator, value }) {
  return (code === 'identifier' || code === '_tag') && operator === Operator.EQUALS && /^[^|,]+\|[^|,]+$/.test(value);
}

function hasToken(resource, { code, value }) {
  const owned = code === '_tag' ? resource.meta?.tag : resource.identifier;
  return [owned ?? []].flat().some((item) => `${item.system}|${item.value ?? item.code}` === value);
}

// A client's word on version and time of change counts for nothing.
function withoutVersion(resource) {
  const { meta, ...content } = deepClone(resource);
  delete meta?.versionId;
  delete meta?.lastUpdated;
  return meta && Object.keys(meta).length > 0 ? { ...content, meta } : content;
}

function sameContent(a, b) {
  return deepEquals(withoutVersion(a), withoutVersion(b));
}

// MemoryRepository would store these as they stand and answer with success.
function refuseUnresolvedReferences(value, path) {
  for (const [name, child] of Object.entries(value)) {
    const here = `${path}.${name}`;
    if (name === 'reference' && /^urn:uuid:|^\w+\?/.test(child)) {
      throw new OperationOutcomeError(badRequest('Reference to nothing that this server holds', here));
    }
    if (child !== null && typeof child === 'object') {
      refuseUnresolvedReferences(child, here);
    }
  }
}

function copyOf(map, copyValue) {
  return new Map([...map].map(([key, value]) => [key, copyValue(value)]));
}

function restore(map, saved) {
  map.clear();
  saved.forEach((value, key) => map.set(key, value));
}
