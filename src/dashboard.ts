import { Duration } from 'aws-cdk-lib';
import type { IMetric, IWidget, MetricOptions } from 'aws-cdk-lib/aws-cloudwatch';
import { Color, Dashboard, GraphWidget, LogQueryVisualizationType, LogQueryWidget, SingleValueWidget, Stats, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import type { DashboardOptions } from './dashboard-options';
import type { ReportMetricName } from './report-metrics';
import type { ReportQueryName } from './report-queries';
import { renderQuery } from './report-queries';

export interface DashboardProps extends DashboardOptions {
  readonly title: string;
  readonly owner: string;
  readonly logGroupName: string;
  readonly metric: (name: ReportMetricName, options?: MetricOptions) => IMetric;
}

const WHOLE_WIDTH = 24;
const HALF = WHOLE_WIDTH / 2;
const GOOD = Color.GREEN;
const BAD = Color.RED;

/** What somebody would hang on a wall: is all well, how long do nodes wait, what went wrong, what is where. */
export function createDashboard(scope: Construct, id: string, props: DashboardProps): Dashboard {
  const { metric } = props;
  return new Dashboard(scope, id, {
    dashboardName: props.dashboardName,
    defaultInterval: Duration.days(1),
    widgets: [
      [new TextWidget({ width: WHOLE_WIDTH, height: 1, markdown: `# ${props.title}` })],
      [
        number('Reports', metric('Reports', { label: 'runs that reported' })),
        number('Images brought', metric('Pulls', { label: 'pulls', color: GOOD }), metric('PulledBytes', { label: 'bytes' })),
        number('Push to cached, slowest node', metric('PushToCachedSeconds', { label: 'seconds' })),
        number('Not brought', metric('Failures', { label: 'failed', color: BAD }), metric('Refusals', { label: 'refused', color: Color.ORANGE }),
          metric('GateTimeouts', { label: 'gate time-outs', color: BAD })),
      ],
      [
        graph('Pulls', [metric('Pulls', { label: 'pulled', color: GOOD }), metric('Failures', { label: 'failed', color: BAD }), metric('Refusals', { label: 'refused', color: Color.ORANGE })], 'images'),
        graph('How long it takes', [
          metric('PushToCachedSeconds', { label: 'push to cached, slowest node' }),
          metric('PullSeconds', { label: 'pull, slowest', statistic: Stats.MAXIMUM }),
          metric('PullSeconds', { label: 'pull, average' }),
        ], 'seconds'),
      ],
      [
        graph('Bytes pulled', [metric('PulledBytes', { label: 'bytes' })], 'bytes'),
        graph('Boot gate', [metric('GateWaitSeconds', { label: 'wait, longest' }), metric('GateWaitSeconds', { label: 'wait, average', statistic: Stats.AVERAGE })], 'seconds'),
      ],
      [
        table(props, 'Why images were not brought', 'failures-by-reason', HALF),
        table(props, 'What pushes did', 'what-a-push-did', HALF),
      ],
      [table(props, 'Which node has which image', 'which-node-has-which-image', WHOLE_WIDTH)],
    ],
  });
}

function number(title: string, ...metrics: IMetric[]): IWidget {
  return new SingleValueWidget({ title, width: WHOLE_WIDTH / 4, height: 4, metrics, setPeriodToTimeRange: true });
}

function graph(title: string, left: IMetric[], label: string): IWidget {
  return new GraphWidget({ title, width: HALF, height: 6, left, leftYAxis: { min: 0, label, showUnits: false } });
}

function table({ owner, logGroupName }: DashboardProps, title: string, query: ReportQueryName, width: number): IWidget {
  return new LogQueryWidget({
    title, width, height: 6, view: LogQueryVisualizationType.TABLE, logGroupNames: [logGroupName], queryString: renderQuery(query, owner),
  });
}
