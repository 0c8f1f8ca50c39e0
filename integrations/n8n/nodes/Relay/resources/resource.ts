/** What each resource of the action node consists of. */
import type { IDataObject, IExecuteFunctions, INodeProperties } from 'n8n-workflow';

/** Does one operation for one item; a list becomes one item for each element. */
export type Operation = (this: IExecuteFunctions, itemIndex: number) => Promise<IDataObject | IDataObject[]>;

export interface Resource {
	/** The operation drop-down and the fields of every operation. */
	properties: INodeProperties[];
	operations: Record<string, Operation>;
}

/** The given fields of a collection; empty ones count as not given. */
export function given(this: IExecuteFunctions, name: string, itemIndex: number): IDataObject {
	const fields = this.getNodeParameter(name, itemIndex, {}) as IDataObject;
	return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ''));
}

/** How many elements the user wants of a list. */
export function wanted(this: IExecuteFunctions, itemIndex: number): number {
	const all = this.getNodeParameter('returnAll', itemIndex) as boolean;
	return all ? Infinity : (this.getNodeParameter('limit', itemIndex) as number);
}
