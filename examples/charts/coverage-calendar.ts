import type { Coverage, DayStatus } from "asx-eod";
import { type Chart, titleOf } from "./chart.ts";

/** The colour of a day by how it stands; days on which the exchange is closed stay blank. */
export const STATUS_COLOURS: Readonly<Record<DayStatus, string>> = {
  complete: "#66bb6a",
  partial: "#ffb300",
  failed: "#d32f2f",
  missing: "#37474f",
  unrecorded: "#5c9ded",
};

const STATUSES = ["complete", "partial", "failed", "missing", "unrecorded"] as const satisfies readonly DayStatus[];
const CELL = 16;
/** A calendar's height with its months above, and the room over the first and under the last. */
const YEAR_HEIGHT = 7 * CELL + 48;
const HEAD = 108;
const FOOT = 52;

/** A heat map in the form of a calendar, a row a year: every trading day coloured by how it stands. */
export function coverageCalendar(coverage: Coverage): Chart {
  const { days } = coverage;
  const years = [...new Set(days.map(({ date }) => date.slice(0, 4)))];
  const title = coverage.from === null ? "Coverage: no day is stored" : `Coverage, ${coverage.from} to ${coverage.to}`;
  const counts = STATUSES.map((status) => days.filter((day) => day.status === status).length);
  return {
    title,
    width: 960,
    height: HEAD + Math.max(1, years.length) * YEAR_HEIGHT + FOOT,
    option: {
      title: titleOf(title, `${days.length} trading days; blank: no session`),
      visualMap: {
        type: "piecewise",
        orient: "horizontal",
        left: 16,
        bottom: 12,
        itemGap: 18,
        selectedMode: false,
        pieces: STATUSES.map((status, value) => ({
          value,
          label: `${status} (${counts[value]})`,
          color: STATUS_COLOURS[status],
        })),
      },
      calendar: years.map((year, index) => ({
        range: year,
        top: HEAD + index * YEAR_HEIGHT,
        left: 76,
        cellSize: CELL,
        splitLine: { lineStyle: { color: "#90a4ae", width: 1 } },
        itemStyle: { borderColor: "#eceff1", borderWidth: 1 },
        dayLabel: { firstDay: 1, nameMap: ["Su", "Mo", "Tu", "We", "Th", "Fr", "Sa"] },
        monthLabel: { nameMap: "EN" },
        yearLabel: { show: true, margin: 34, fontSize: 14 },
      })),
      series: years.map((year, index) => ({
        type: "heatmap" as const,
        silent: true,
        name: year,
        coordinateSystem: "calendar" as const,
        calendarIndex: index,
        data: days
          .filter(({ date }) => date.startsWith(year))
          .map(({ date, status }): [string, number] => [date, STATUSES.indexOf(status)]),
      })),
    },
  };
}
