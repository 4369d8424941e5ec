import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { columnsOf } from "../../aggregator/column.ts";
import { numberColumn, textColumn } from "../../aggregator/make-column.ts";
import { Table } from "../../aggregator/table.ts";
import { columnsOfKnown, knownColumns } from "./any-columns.ts";

const DISPLAY: unique symbol = Symbol.for("Jupyter.display");

describe("a table in a notebook", () => {
  it("is shown by the method that kernels ask for", () => {
    const table = new Table(columnsOf([["close", numberColumn([44.51])]]));
    const bundle: unknown = Reflect.apply(Reflect.get(table, DISPLAY), table, []);
    expect(bundle).toEqual({ "text/plain": String(table), "text/html": table.toHTML() });
  });

  it("is a table with heads, nulls apart, and its size", () => {
    const table = new Table(
      columnsOf([
        ["symbol", textColumn(["BHP", "CBA"])],
        ["close", numberColumn([44.5, null])],
      ]),
    );
    expect(table.toHTML()).toBe(
      [
        '<div style="overflow-x: auto">',
        "<table>",
        '<thead><tr><th style="text-align: left">symbol</th><th style="text-align: right">close</th></tr></thead>',
        "<tbody>",
        '<tr><td style="text-align: left">BHP</td><td style="text-align: right">44.5</td></tr>',
        '<tr><td style="text-align: left">CBA</td><td style="text-align: right"><span style="opacity: 0.5">null</span></td></tr>',
        "</tbody>",
        "</table>",
        "<p>2 rows x 2 columns</p>",
        "</div>",
      ].join("\n"),
    );
  });

  it("escapes every text", () => {
    const text = `<img src=x onerror="alert('&')">`;
    const html = new Table(columnsOf([[text, textColumn([text])]])).toHTML();
    expect(html.match(/&lt;img src=x onerror=&quot;alert\(&#39;&amp;&#39;\)&quot;&gt;/g)).toHaveLength(2);
    expect(html).not.toContain("<img");
  });

  it("holds no tag but its own, whatever the table holds", () => {
    fc.assert(
      fc.property(knownColumns(), (known) => {
        const own = /<\/?(?:div|table|thead|tbody|tr|th|td|p|span)(?: style="[a-z0-9:. -]+")?>/g;
        expect(new Table(columnsOfKnown(known)).toHTML().replaceAll(own, "")).not.toMatch(/[<>]/);
      }),
    );
  });

  it("shows at most fifty rows, of the beginning and of the end", () => {
    const table = new Table(columnsOf([["x", numberColumn(Array.from({ length: 100 }, (_, row) => row))]]));
    const cells = Array.from(table.toHTML().matchAll(/<td[^>]*>([^<]*)</g), ([, cell]) => cell);
    expect(cells).toHaveLength(51);
    expect(cells.slice(24, 27)).toEqual(["24", "…", "75"]);
    expect(table.toHTML()).toContain("100 rows x 1 column<");
  });
});
