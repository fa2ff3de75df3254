import type { Moto } from './moto';
import { REGION } from '../place';

/** Systems Manager's Command documents, where the AWS CLI of a node finds them. */
export class SsmDocuments {
  constructor(private readonly moto: Moto) {}

  async create(name: string, content: object | string): Promise<void> {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    await this.call('CreateDocument', { Name: name, Content: text, DocumentType: 'Command', DocumentFormat: 'JSON' });
  }

  async delete(name: string): Promise<void> {
    await this.call('DeleteDocument', { Name: name });
  }

  private async call(action: string, parameters: object): Promise<void> {
    await this.moto.call('ssm', REGION, `AmazonSSM.${action}`, parameters);
  }
}
