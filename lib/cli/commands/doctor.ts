import type { Command } from "commander";
import type { Finding } from "../../doctor/finding.js";

/** `sdtp doctor`: what is here, whether it works, what to do where it does not. */
export function register(program: Command): void {
  program
    .command("doctor")
    .description("devices, drivers, kernel and installation: what is there, what was checked, what to do about each problem")
    .option("--json", "print JSON")
    .addHelpText("after", "\nA GPU is checked against the CPU once for each driver (minutes on a software driver); kernels of this package are started.\nExit code 1 where something that is there does not work.")
    .action(({ json }: { json?: boolean }) => doctor(json ?? false));
}

async function doctor(json: boolean): Promise<void> {
  const [{ installation }, { devices }, { speed }, { kernels }, { installedKernels }] = await Promise.all([
    import("../../doctor/installation.js"), import("../../doctor/devices.js"), import("../../doctor/speed.js"), import("../../doctor/kernels.js"), import("../../../kernel/install.js"),
  ]);
  const sections: Record<string, () => Promise<Finding[]> | Finding[]> = {
    installation,
    devices: () => devices((device) => process.stderr.write(`checking ${device} against the CPU …\n`)),
    speed,
    kernels: () => kernels(installedKernels()),
  };
  const found: Record<string, Finding[]> = {};
  for (const [name, look] of Object.entries(sections)) {
    const findings = (found[name] = await look());
    if (!json) console.log(`${name}\n${findings.map(line).join("\n")}\n`);
  }
  const all = Object.values(found).flat();
  const count = (state: Finding["state"]) => all.filter((finding) => finding.state === state).length;
  const [problems, notes] = [count("problem"), count("note")];
  if (json) console.log(JSON.stringify({ ok: problems === 0, problems, notes, ...found }, null, 2));
  else console.log(`${problems === 0 ? "no problems" : problems === 1 ? "1 problem" : `${problems} problems`}${notes > 0 ? `, ${notes} ${notes === 1 ? "note" : "notes"}` : ""}`);
  if (problems > 0) process.exitCode = 1;
}

const marks = { ok: "ok     ", note: "note   ", problem: "PROBLEM" };

function line({ what, state, says, todo }: Finding): string {
  return `  ${marks[state]}  ${what}: ${says}${todo ? `\n           -> ${todo}` : ""}`;
}
