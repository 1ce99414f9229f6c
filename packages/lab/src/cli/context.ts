/** What the entry script gives to every command. */
export interface Context {
  /** Call it before importing a module that a user wrote: afterwards TypeScript can be imported. */
  enableUserModules(): Promise<void>;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
}
