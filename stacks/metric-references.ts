import { METRICS, METRICS_NAMESPACE, type MetricName } from "../lambdas/runtime/metrics.ts";

/** A metric of CloudWatch, as alarms and dashboards name it. */
export interface MetricReference {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** Default: Sum. */
  readonly statistic?: "Sum" | "Average" | "Maximum" | "Minimum";
}

/** A metric that our Lambdas emit, with the dimensions they emit it under. */
export function runMetric(name: MetricName, stage: string): MetricReference {
  return { namespace: METRICS_NAMESPACE, name, dimensions: { service: METRICS[name].service, stage } };
}
