import * as z from "zod";

const source = z.array(z.string()).transform((lines) => lines.join(""));
const notebookFile = z.object({
  nbformat: z.literal(4),
  metadata: z.object({ kernelspec: z.object({ name: z.string(), language: z.string(), display_name: z.string() }) }),
  cells: z.array(
    z.discriminatedUnion("cell_type", [
      z.object({ cell_type: z.literal("markdown"), id: z.string(), source }),
      z.object({
        cell_type: z.literal("code"),
        id: z.string(),
        source,
        outputs: z.array(z.unknown()),
        execution_count: z.number().nullable(),
      }),
    ]),
  ),
});

/** A notebook as it is stored. */
export type Notebook = z.infer<typeof notebookFile>;

/** @throws ZodError where it is no notebook of format 4. */
export function parseNotebook(text: string): Notebook {
  return notebookFile.parse(JSON.parse(text));
}

/**
 * The code cells as one module, in their order. A last statement without a semicolon is what the kernel would show: it is
 * handed to `show` with the cell's id.
 */
export function moduleOf({ cells }: Notebook, show: string): string {
  const statements = cells.flatMap((cell) => (cell.cell_type === "code" ? statementsOf(cell, show) : []));
  const isImport = (statement: string): boolean => statement.startsWith("import ");
  return [...statements.filter(isImport), ...statements.filter((statement) => !isImport(statement))].join("\n");
}

function statementsOf({ id, source }: { readonly id: string; readonly source: string }, show: string): string[] {
  const statements = source.split(/(?<=;(?: *\/\/.*)?)\n+(?=\S)/);
  const last = statements.at(-1) ?? "";
  if (/;(?: *\/\/.*)?\s*$/.test(last)) return statements;
  return [...statements.slice(0, -1), `${show}(${JSON.stringify(id)}, ${last});`];
}
