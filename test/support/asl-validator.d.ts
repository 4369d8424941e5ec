/** The part of asl-validator 4 that we use; its package names no types. */
declare module "asl-validator" {
  export default function validate(
    definition: Readonly<Record<string, unknown>>,
    options: { checkArn: boolean; checkPaths: boolean },
  ): { isValid: boolean; errorsText(separator: string): string };
}
