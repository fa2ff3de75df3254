import { REGION } from './ecr';
import { Moto } from './moto';

/** Systems Manager's Command documents, where the AWS CLI of a node finds them. */
export class SsmDocuments {
  constructor(private readonly moto: Moto) {}

  async create(name: string, content: object): Promise<void> {
    await this.call('CreateDocument', { Name: name, Content: JSON.stringify(content), DocumentType: 'Command', DocumentFormat: 'JSON' });
  }

  async delete(name: string): Promise<void> {
    await this.call('DeleteDocument', { Name: name });
  }

  private async call(action: string, parameters: object): Promise<void> {
    const response = await fetch(this.moto.endpoint, {
      method: 'POST',
      body: JSON.stringify(parameters),
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `AmazonSSM.${action}`,
        'authorization': `AWS4-HMAC-SHA256 Credential=testbed/20260101/${REGION}/ssm/aws4_request, SignedHeaders=host, Signature=none`,
      },
    });
    if (!response.ok) {
      throw new Error(`Systems Manager answered ${response.status} to ${action}: ${await response.text()}`);
    }
  }
}
