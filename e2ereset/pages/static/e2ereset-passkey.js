// Has the browser use a passkey, or make one, and sends what it answers.
"use strict";

const bytesOf = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

const textOf = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

const known = (list) => (list || []).map((one) => ({ ...one, id: bytesOf(one.id) }));

const use = async (asked) => {
  const publicKey = {
    ...asked,
    challenge: bytesOf(asked.challenge),
    allowCredentials: known(asked.allowCredentials),
  };
  const made = await navigator.credentials.get({ publicKey });
  return [made, { authenticatorData: "", signature: "" }];
};

const make = async (asked) => {
  const publicKey = {
    ...asked,
    challenge: bytesOf(asked.challenge),
    user: { ...asked.user, id: bytesOf(asked.user.id) },
    excludeCredentials: known(asked.excludeCredentials),
  };
  const made = await navigator.credentials.create({ publicKey });
  return [made, { attestationObject: "" }];
};

const answerOf = (made, wanted) => {
  const response = { clientDataJSON: textOf(made.response.clientDataJSON) };
  for (const name of Object.keys(wanted)) response[name] = textOf(made.response[name]);
  if (made.response.getTransports) response.transports = made.response.getTransports();
  return JSON.stringify({ id: made.id, type: made.type, response });
};

for (const form of document.querySelectorAll("form[data-e2e-passkey]")) {
  const failed = document.getElementById("e2e-passkey-failed");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const asked = JSON.parse(form.dataset.e2ePasskey);
      const [made, wanted] = await (asked.user ? make(asked) : use(asked));
      form.elements.code.value = answerOf(made, wanted);
    } catch {
      failed.hidden = false;
      return;
    }
    form.submit();
  });
}
