// One invoice for each customer, side by side: a mapped group, whose instances wait only for their own customer, a map over the
// items of all of them, and one task that adds everything up.

import { dag, group, task } from "windlass";
import * as z from "zod";

interface Customer {
  id: string;
  orders: number[];
}

const listCustomers = task("list_customers", ({ count }: { count: number }) =>
  Array.from({ length: count }, (_, index): Customer => ({ id: `customer-${index + 1}`, orders: [index + 1, 10] })),
);

const price = task("price", ({ customer }: { customer: Customer }) => ({
  customer: customer.id,
  amount: customer.orders.reduce((sum, order) => sum + order, 0),
}));

const send = task(
  "send",
  { retries: 2, retryDelay: "30s", retryBackoff: true },
  ({ invoice }: { invoice: { customer: string; amount: number } }) => {
    console.log(`${invoice.customer} owes ${invoice.amount}`);
    return invoice.amount;
  },
);

const tax = task("tax", ({ amount, rate }: { amount: number; rate: number }) => Math.round(amount * rate) / 100);

const report = task("report", ({ amounts, taxes }: { amounts: number[]; taxes: number[] }) => {
  const add = (numbers: number[]) => numbers.reduce((sum, each) => sum + each, 0);
  return { invoices: amounts.length, total: add(amounts), tax: add(taxes) };
});

export default dag(
  "mapped_invoices",
  {
    description: "One invoice for each customer",
    tags: ["example"],
    params: z.object({ customers: z.int().min(0).max(100).default(3) }),
  },
  ({ params }) => {
    const customers = listCustomers({ count: params.customers });
    const sent = group("invoice", { over: customers, name: (customer) => customer.get("id") }, (customer) =>
      send({ invoice: price({ customer }) }),
    );
    const taxes = tax.map({ amount: sent.result }, { rate: 25 });
    report({ amounts: sent.result, taxes });
  },
);
