/** Options of `ImagePrefetcher.addDashboard()`. */
export interface DashboardOptions {
  /**
   * Name of the dashboard.
   *
   * @default - CloudFormation makes one
   */
  readonly dashboardName?: string;
}
