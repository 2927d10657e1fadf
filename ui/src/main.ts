import { mount } from 'svelte';
import App from './App.svelte';
import './lib/design/tokens.css';
import './lib/design/base.css';
import { language, localeFor } from './lib/text/language.svelte';

await language.speak(localeFor(navigator.languages));
const target = document.getElementById('window');
if (target) mount(App, { target });
