/** Lanes: the colour and the short name of each of several streams that are shown together. */

export const LANES = 8;

/** @typedef {{lane: number, label: string}} Lane */

/**
 * A name for each path, with only those parts that tell them apart.
 * @param {string[]} paths
 * @returns {Map<string, Lane>}
 */
export function lanesOf(paths) {
  const split = paths.map((path) => path.split("/"));
  const heads = split.map(([site, job]) => [site, job]);
  const parts = [0, 1].filter((part) => new Set(heads.map((head) => head[part])).size > 1);
  const names = split.map((one) => one.slice(2).join("/"));
  const bySite = new Set(split.map((one) => parts.map((part) => one[part]).join("/"))).size === paths.length;
  return new Map(
    paths.map((path, index) => {
      const said = parts.map((part) => heads[index][part]);
      if (!bySite || said.length === 0) said.push(names[index]);
      return [path, { lane: index % LANES, label: said.join("/") }];
    }),
  );
}
