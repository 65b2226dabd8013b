// What the JSON Schema of a configuration says of a place in it: what it means, and which keys it may have.

/** Of a path of keys: `{description, types, values, fallback, keys}`, or null where nothing may stand. */
export function helpFor(schema, path) {
  let nodes = [schema];
  for (const key of path) {
    nodes = nodes.flatMap((node) => concrete(schema, node)).flatMap((node) => below(node, key));
    if (!nodes.length) return null;
  }
  const parts = nodes.flatMap((node) => concrete(schema, node));
  return {
    description: [...nodes, ...parts].find((node) => node.description)?.description ?? "",
    types: [...new Set(parts.flatMap((node) => node.type ?? []))].filter((type) => type !== "null"),
    values: [...new Set(parts.flatMap((node) => node.enum ?? ("const" in node ? [node.const] : [])))],
    fallback: nodes.find((node) => "default" in node)?.default,
    keys: keysOf(schema, parts),
  };
}

/** What a node may be: references followed, alternatives beside each other. */
function concrete(schema, node, depth = 0) {
  if (depth > 8 || typeof node !== "object" || node === null) return [];
  const others = [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? [])];
  const referred = node.$ref?.startsWith("#/$defs/") ? schema.$defs[node.$ref.slice(8)] : null;
  return [node, ...(referred ? concrete(schema, referred, depth + 1) : []), ...others.flatMap((each) => concrete(schema, each, depth + 1))];
}

function below(node, key) {
  if (typeof key === "number") return typeof node.items === "object" ? [node.items] : [];
  if (node.properties && Object.hasOwn(node.properties, key)) return [node.properties[key]];
  return typeof node.additionalProperties === "object" ? [node.additionalProperties] : [];
}

function keysOf(schema, parts) {
  const keys = new Map();
  for (const part of parts) {
    for (const [name, node] of Object.entries(part.properties ?? {})) {
      if (keys.has(name)) continue;
      const description = concrete(schema, node).find((each) => each.description)?.description ?? "";
      keys.set(name, { name, description, isRequired: part.required?.includes(name) ?? false });
    }
  }
  return [...keys.values()];
}
