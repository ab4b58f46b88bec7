// The mutants of a Solidity file, by its syntax tree: another operator, a number one higher, a condition that always or never
// holds, a statement or a modifier that is missing.
import solc from "solc";

const OPERATORS = {
  "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
  "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["*"], "<<": [">>"], ">>": ["<<"], "&": ["|"], "|": ["&"], "^": ["&"],
  "+=": ["-="], "-=": ["+="], "|=": ["&="], "*=": ["/="],
};
const YUL = {
  add: "sub", sub: "add", mul: "div", div: "mul", lt: "gt", gt: "lt", slt: "sgt", eq: "sub", and: "or", or: "and", xor: "and",
  shl: "shr", shr: "shl", iszero: "not",
};

/// Where an import lies: foundry.toml's remappings.
export function fileOf(name) {
  return name.replace(/^@openzeppelin\//, "node_modules/@openzeppelin/").replace(/^solady\//, "node_modules/solady/src/");
}

/// The syntax tree of a file.
function treeOf(file, read) {
  const input = {
    language: "Solidity", sources: { [file]: { content: read(file) } },
    settings: { outputSelection: { [file]: { "": ["ast"] } } },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: (name) => ({ contents: read(fileOf(name)) }) }));
  return output.sources[file].ast;
}

/// What a node of the tree can become: `[start, end, text]` each, by bytes.
function changesOf(node, source) {
  const [start, end] = span(node);
  const text = source.subarray(start, end).toString();
  const between = (left, right, operator, to) => {
    const at = source.indexOf(operator, span(left)[1]);
    return at >= 0 && at < span(right)[0] ? [[at, at + operator.length, to]] : [];
  };
  switch (node.nodeType) {
    case "BinaryOperation":
      return (OPERATORS[node.operator] ?? []).flatMap((to) => between(node.leftExpression, node.rightExpression, node.operator, to));
    case "Assignment":
      return (OPERATORS[node.operator] ?? []).flatMap((to) => between(node.leftHandSide, node.rightHandSide, node.operator, to));
    case "UnaryOperation":
      if (node.operator === "!") return [[start, start + 1, ""]];
      if (node.operator === "++" || node.operator === "--") return [[start, end, text.replace(node.operator, node.operator === "++" ? "--" : "++")]];
      return [];
    case "Literal":
      if (node.kind === "bool") return [[start, end, text === "true" ? "false" : "true"]];
      return node.kind === "number" ? [[start, end, `(${text} + 1)`]] : [];
    case "IfStatement":
    case "Conditional":
      return [[...span(node.condition), "true"], [...span(node.condition), "false"]];
    case "ExpressionStatement":
    case "EmitStatement":
      return [[start, end, "true"]];
    case "ModifierInvocation":
      return node.kind === "modifierInvocation" ? [[start, end, ""]] : [];
    case "YulFunctionCall":
      return YUL[node.functionName.name] ? [[...span(node.functionName), YUL[node.functionName.name]]] : [];
    case "YulLiteral":
      return node.kind === "number" ? [[start, end, `${BigInt(text) + 1n}`]] : [];
    default:
      return [];
  }
}

function span(node) {
  const [start, length] = node.src.split(":").map(Number);
  return [start, start + length];
}

/// All mutants of a file. The step of a `for` is left alone: without it, loops have no end.
export function mutantsOf(file, read) {
  const source = Buffer.from(read(file));
  const mutants = new Map();
  const visit = (node) => {
    if (node === null || typeof node !== "object") return;
    for (const [start, end, to] of node.nodeType ? changesOf(node, source) : []) {
      const line = source.subarray(0, start).toString().split("\n").length;
      mutants.set(`${start}:${end}:${to}`, { file, line, start, end, from: source.subarray(start, end).toString(), to });
    }
    for (const [key, child] of Object.entries(node)) {
      if (key !== "loopExpression" && key !== "post") visit(child);
    }
  };
  visit(treeOf(file, read));
  return [...mutants.values()];
}

/// `most` of them, drawn by a seed (mulberry32).
export function sample(mutants, most, seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const keyed = mutants.map((mutant) => [random(), mutant]).sort((a, b) => a[0] - b[0]);
  return keyed.slice(0, most).map(([, mutant]) => mutant);
}
