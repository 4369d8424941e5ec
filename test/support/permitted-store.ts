import * as z from "zod";
import { StoreRefusedError } from "../../domain/errors.ts";
import type { ObjectStore } from "../../domain/object-store.ts";
import { listingPrefixes } from "../../stores/listing-prefixes.ts";

/** A role's permission on a bucket: an action on keys, or for listings on prefixes, with `*` for any text. */
interface Permission {
  readonly action: string;
  readonly keys: string;
}

/** A store as the holder of a role sees it, and what it made use of. */
export interface PermittedStore extends ObjectStore {
  /** Permissions that no call has needed yet, as `s3:GetObject symbols/*`. */
  unused(): string[];
}

const policyForm = z.object({
  Statement: z.array(
    z.object({
      Action: z.array(z.string()),
      Resource: z.array(z.string()),
      Condition: z.object({ StringLike: z.object({ "s3:prefix": z.array(z.string()) }) }).optional(),
    }),
  ),
});

/**
 * A store that refuses what a policy does not allow on a bucket. As in S3, a key that is not there can be told from one that
 * must not be seen only by who may list it.
 * @param policy the policy as JSON text. @param bucketArn the bucket's ARN, as the policy names it.
 */
export function permittedStore(store: ObjectStore, policy: string, bucketArn: string): PermittedStore {
  const permissions = permissionsOn(bucketArn, policy);
  const used = new Set<Permission>();

  function use(action: string, key: string): void {
    const found = permissions.filter((permission) => permission.action === action && matches(permission.keys, key));
    if (found.length === 0) throw new StoreRefusedError(`the policy does not allow ${action} on ${key}`);
    for (const permission of found) used.add(permission);
  }

  async function read<T>(key: string, reading: (key: string) => Promise<T | undefined>): Promise<T | undefined> {
    use("s3:GetObject", key);
    const found = await reading(key);
    if (found === undefined) use("s3:ListBucket", key);
    return found;
  }

  return {
    url: store.url,
    locate: (key) => store.locate(key),
    localPath: (key) => store.localPath(key),
    get: (key) => read(key, store.get),
    read: (key) => read(key, store.read),
    async put(key, bytes) {
      use("s3:PutObject", key);
      await store.put(key, bytes);
    },
    async replace(key, bytes, version) {
      use("s3:PutObject", key);
      await store.replace(key, bytes, version);
    },
    async remove(key) {
      use("s3:DeleteObject", key);
      await store.remove(key);
    },
    async head(key) {
      use("s3:ListBucket", key);
      return store.head(key);
    },
    async stat(keys) {
      for (const prefix of listingPrefixes(keys)) use("s3:ListBucket", prefix);
      return store.stat(keys);
    },
    async list(prefix) {
      use("s3:ListBucket", prefix);
      return store.list(prefix);
    },
    async groups(prefix, delimiter) {
      use("s3:ListBucket", prefix);
      return store.groups(prefix, delimiter);
    },
    unused: () =>
      permissions.filter((permission) => !used.has(permission)).map(({ action, keys }) => `${action} ${keys}`),
  };
}

function permissionsOn(bucketArn: string, policy: string): Permission[] {
  return policyForm.parse(JSON.parse(policy)).Statement.flatMap(({ Action, Resource, Condition }) =>
    Action.flatMap((action) =>
      Resource.flatMap((resource): Permission[] => {
        const prefixes = Condition?.StringLike["s3:prefix"];
        if (resource === bucketArn) return (prefixes ?? ["*"]).map((keys) => ({ action, keys }));
        if (!resource.startsWith(`${bucketArn}/`)) return [];
        return [{ action, keys: resource.slice(bucketArn.length + 1) }];
      }),
    ),
  );
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(text);
}
