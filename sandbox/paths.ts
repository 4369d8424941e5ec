/** Where the stand-ins lie below the sandbox's address: the same paths as at the real hosts. */
export const SANDBOX_PATHS = {
  directory: "/asx-research/1.0/companies/directory/file",
  olderDirectory: "/asx/research/ASXListedCompanies.csv",
} as const;
