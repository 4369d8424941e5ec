import { Logger as PowertoolsLogger } from "@aws-lambda-powertools/logger";

/** Structured facts beside a log message. No secrets, and nothing unbounded. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where the code says what it does. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** JSON lines in the form CloudWatch Logs Insights reads; the level comes from POWERTOOLS_LOG_LEVEL. */
export function createLambdaLogger(serviceName: string): Logger {
  const logger = new PowertoolsLogger({ serviceName });
  return {
    debug: (message, fields = {}) => logger.debug(message, fields),
    info: (message, fields = {}) => logger.info(message, fields),
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  };
}
