export { writeOutput, writeText } from "../report/write.js";
