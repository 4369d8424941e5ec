import { fillDefinition, readDefinition, type StateMachineJson } from "./definition.ts";

/** What `alarm.asl.json` leaves open. */
export interface AlarmPlaceholders {
  readonly topicArn: string;
  /** Address of the queue that keeps what could not be published. */
  readonly deadLettersUrl: string;
}

/** The publishing of an alarm with its placeholders filled. Throws as {@link fillDefinition} does. */
export function fillAlarmDefinition(placeholders: AlarmPlaceholders): StateMachineJson {
  return fillDefinition(readDefinition(new URL("./alarm.asl.json", import.meta.url)), placeholders);
}
