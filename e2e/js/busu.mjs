// Where busu is, and the vendor that stands behind it in these tests.
const need = (name) => {
  if (!process.env[name]) throw new Error(`${name} is not set: run make e2e`);
  return process.env[name];
};

export const base = need('BUSU_URL');

// canceled counts the calls that the vendor saw end before their answer did.
export const canceled = async () => Number(await (await fetch(`${need('VENDOR_URL')}/canceled`)).text());
