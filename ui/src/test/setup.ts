// Every test speaks English unless it says otherwise.

import { language } from '$lib/text/language.svelte';

await language.speak('en');
