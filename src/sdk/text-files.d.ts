// Imports of text files beside a DAG file: the bundler puts their text into the bundle (see dags/bundle.ts).

declare module "*.csv" {
  const text: string;
  export default text;
}

declare module "*.txt" {
  const text: string;
  export default text;
}

declare module "*.sql" {
  const text: string;
  export default text;
}

declare module "*.md" {
  const text: string;
  export default text;
}

declare module "*.yaml" {
  const text: string;
  export default text;
}

declare module "*.yml" {
  const text: string;
  export default text;
}
